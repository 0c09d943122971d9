"""What any plan's pipeline is made of: stages with messages of their own, their order, pace and memory."""
