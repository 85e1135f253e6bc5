"""From the text of an app spec to its values. Every way in which a text can be wrong is here; what
follows from a valid spec is not."""
