"""What a request gives to parameters that enumerate nothing: texts, numbers, dates, lists, yes and no."""
