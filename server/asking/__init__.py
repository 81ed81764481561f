"""What `whet ask` and `whet chat` have in common: whom they ask, and how an answer is shown."""
