"""The memory of Gen2 tags (GS1 EPC Gen2, ISO/IEC 18000-63): what stands in the EPC bank and in the user bank, as octets.

bank        bank 01: CRC, protocol control, EPC or ISO code
user        bank 11: text behind a format identifier
six_bit     the alphabet of six bits a character
"""
