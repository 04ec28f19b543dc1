"""What a finished exploration is made of: bundles as zip files, its pictures, what it lacks and how to get that."""
