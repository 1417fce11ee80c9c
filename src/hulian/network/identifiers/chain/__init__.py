"""One step each: a link answers, or hands the question to the next. No link knows another, or which node it serves in."""
