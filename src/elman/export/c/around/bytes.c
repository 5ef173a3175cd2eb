size_t name_encode(const char *text, size_t bytes, int32_t *ids)
{
    size_t count = 0;
    for (size_t at = 0; at < bytes; at++) {
        ids[count] = ids_of_bytes[(unsigned char)text[at]];
        count += ids[count] >= 0;
    }
    return count;
}
