"""A run as a page, as a server that shows it, and as TensorBoard's event files."""
