"""The start: from an empty folder to the first candle."""
