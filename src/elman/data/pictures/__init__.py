"""Pictures: picture files, IDX files as MNIST ships them, and what sequences they make."""
