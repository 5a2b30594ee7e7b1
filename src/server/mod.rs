//! Everything that touches the server.
