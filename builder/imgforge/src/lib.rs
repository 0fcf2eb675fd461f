//! Patches a vendor image of a single-board computer into a Kubernetes node, reproducibly.
