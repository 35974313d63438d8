"""What evaluations come to: in figures, compared, as JSON, as words, as a page."""
