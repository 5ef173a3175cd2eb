"""What several rooms show: pictures, curves, fields made from options."""
