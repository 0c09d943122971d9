"""What a run says when it is over: predicted beside measured."""
