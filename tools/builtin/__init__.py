"""Built-in tools: arithmetic, figures, tables, documents, files. All read only."""
