"""JavaScript, TypeScript, Go, Rust and Java, read by tree-sitter."""
