/* A code point in UTF-8 -> its bytes. */
static size_t written(uint32_t code, unsigned char *text)
{
    const size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[4] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = more; i > 0; i--, code >>= 6)
        text[i] = (unsigned char)(0x80 | (code & 0x3f));
    text[0] = (unsigned char)(first[more] | code);
    return more + 1;
}

/* What a code point becomes in lower case, or as digits are left out: -1. */
static int32_t instead(uint32_t code)
{
    size_t low = 0, high = sizeof codes_changed / sizeof *codes_changed;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (codes_changed[middle] == code)
            return code == 0 ? 0 : codes_instead[middle];
        if (codes_changed[middle] < code)
            low = middle + 1;
        else
            high = middle;
    }
    return (int32_t)code;
}

int32_t name_look_up(const char *token, size_t bytes)
{
    enum { COUNT = sizeof ids_in_order / sizeof *ids_in_order, MOST = 1 << 10 };
    unsigned char cleaned[MOST];
    size_t length, low = 0, high = COUNT, size = 0;
    for (size_t at = 0; at < bytes && size < MOST - 4; at += length) {
        const int32_t code =
            instead(code_point((const unsigned char *)token + at, bytes - at, &length));
        if (code >= 0)
            size += written((uint32_t)code, cleaned + size);
    }
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const size_t start = starts_in_order[middle], there = starts_in_order[middle + 1] - start;
        size_t same = 0;
        while (same < size && same < there && cleaned[same] == tokens_in_order[start + same])
            same++;
        if (same == size && same == there)
            return ids_in_order[middle];
        if (same == there || (same < size && cleaned[same] > tokens_in_order[start + same]))
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
