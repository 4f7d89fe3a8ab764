"""The Breeding API (BrAPI) 2.1, as far as breeders' tools need it to read traits; see https://brapi.org."""
