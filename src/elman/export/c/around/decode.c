size_t name_decode(int32_t id, char *text)
{
    size_t count = 0;
    if (id < 0 || id >= NAME_SYMBOLS)
        return 0;
    for (uint32_t at = starts_of_symbols[id]; at < starts_of_symbols[id + 1]; at++)
        text[count++] = (char)symbols[at];
    return count;
}
