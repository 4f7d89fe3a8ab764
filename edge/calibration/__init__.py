"""What is known of one camera beyond its pictures: mm for px, true colours, where plots lie, and where it stood."""
