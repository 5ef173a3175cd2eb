/* The code point that a text goes on with, and how many bytes it has; U+FFFD for a byte that is no
 * UTF-8. */
static uint32_t code_point(const unsigned char *text, size_t bytes, size_t *length)
{
    static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
    const int more = text[0] < 0x80 ? 0 : text[0] < 0xc0 ? 4 : text[0] < 0xe0 ? 1
                   : text[0] < 0xf0 ? 2 : text[0] < 0xf8 ? 3 : 4;
    uint32_t code = more == 0 ? text[0] : text[0] & (0x3fu >> more);
    *length = 1;
    if (more == 4 || (size_t)more >= bytes)
        return more == 0 ? code : 0xfffd;
    for (int i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0xfffd;
        code = code << 6 | (text[i] & 0x3f);
    }
    if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0xfffd;
    *length = (size_t)more + 1;
    return code;
}
