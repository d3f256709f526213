"""Web page of `genres app`: predictions, their pictures, the layout."""
