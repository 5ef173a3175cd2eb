/* What the letters of a token tell; of a long one as many of its beginning as of its end. */
static void spell(const char *token, float *told)
{
    static int32_t all[1 << 20], ids[LETTERS];
    size_t count = name_encode(token, strlen(token), all), steps = 0;
    for (size_t k = 0; k < count; k++)
        if (count <= LETTERS || k < LETTERS / 2 || k >= count - LETTERS / 2)
            ids[steps++] = all[k];
    @CALLS@
}
