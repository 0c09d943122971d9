"""One part of the page per file; each turns documents into blocks, and knows no HTML."""
