"""Sources, drawing, sinks, and the pipeline that joins them."""
