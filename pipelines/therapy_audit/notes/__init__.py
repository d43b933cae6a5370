"""Evidence in the text of visit notes: which elements a note documents, and the words that show each."""
