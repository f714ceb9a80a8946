"""The page for phones and browsers, and the small server that hands it out."""
