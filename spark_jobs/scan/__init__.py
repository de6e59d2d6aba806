"""What runs over a batch's records, in an executor or in the driver: fetched, decoded, refused or folded into partial bars."""
