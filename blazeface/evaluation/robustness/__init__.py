"""How a detector bears what is not in the labelled pictures: turned, blurred, covered and centred faces."""
