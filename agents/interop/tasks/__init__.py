"""Tasks of ours that other frameworks' agents work on."""
