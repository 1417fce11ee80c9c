"""What the data of the standard types mean: HS_ADMIN, HS_SITE, HS_VLIST, HS_PUBKEY, HS_NAMESPACE, HS_CERT, HS_SIGNATURE …"""
