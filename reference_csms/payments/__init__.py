"""Money that moves: claims, the outbox of payments, the gate of connected accounts, webhooks and bank statements."""
