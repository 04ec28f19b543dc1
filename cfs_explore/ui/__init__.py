"""What pages share: the chosen exploration, cached reading, figures with their table and downloads.

The only room of the core that imports streamlit.
"""
