"""数据互通: protocols turn bytes into samples, the spine carries them."""
