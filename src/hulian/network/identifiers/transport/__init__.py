"""Sockets: messages in and out over UDP and TCP, bounded; what they mean is the chain's business."""
