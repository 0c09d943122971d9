"""What a page tells of a plan of sparse_update, before it is laid out."""
