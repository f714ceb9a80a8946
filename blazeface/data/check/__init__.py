"""A look at labelled pictures before anything learns from them: counts, faults, and sheets for the eye."""
