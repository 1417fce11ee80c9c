"""Labels: symbols with their text, alone or on sheets, as SVG, PNG and PDF.

layout      what stands where, in millimetres: labels → pages
text        how wide a line is, and where it breaks
svg, png, pdf     pages → octets, one page at a time
printing    identifiers → files
"""
