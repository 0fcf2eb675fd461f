//! What the whole-program tests share: local bases, foreign tools, QEMU guests, an HTTP server that misbehaves.
