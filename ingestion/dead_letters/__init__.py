"""Records that were refused: listed, shown, edited, sent again."""
