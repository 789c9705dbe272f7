"""What runs in other processes. Imports nothing of ours outside this folder."""
