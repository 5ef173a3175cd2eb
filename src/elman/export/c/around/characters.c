/* The id of a code point: 0 for one that the model does not know, -1 for one that it leaves out. */
static int32_t id_of(uint32_t code)
{
    size_t low = 0, high = sizeof codes / sizeof *codes;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (codes[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sizeof codes / sizeof *codes && codes[low] == code ? ids_of_codes[low] : 0;
}

size_t name_encode(const char *text, size_t bytes, int32_t *ids)
{
    const unsigned char *const all = (const unsigned char *)text;
    size_t count = 0, length;
    for (size_t at = 0; at < bytes; at += length) {
        ids[count] = id_of(code_point(all + at, bytes - at, &length));
        count += ids[count] >= 0;
    }
    return count;
}
