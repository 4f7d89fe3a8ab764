"""Which object of one picture is which of the next: objects under a moving camera, leaves of a plant over days."""
