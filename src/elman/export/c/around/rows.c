static unsigned long line_number;

/* The numbers of the next line -> how many they are, 0 for an empty line, -1 at the end. */
static int row(double *numbers, int most)
{
    static char line[1 << 16];
    char *at = line, *end;
    int count = 0;
    if (fgets(line, sizeof line, stdin) == NULL)
        return -1;
    line_number++;
    for (;;) {
        while (*at != '\0' && strchr(" \t\r\n,;", *at) != NULL)
            at++;
        if (*at == '\0')
            return count;
        if (count < most)
            numbers[count] = strtod(at, &end);
        if (count++ == most || end == at) {
            fprintf(stderr, "line %lu: has to be %d numbers\n", line_number, most);
            exit(2);
        }
        at = end;
    }
}

/* The next row, which has to have so many numbers -> whether there is one before an empty line; with
 * `first` whether there is one at all. */
static int next_row(double *numbers, int count, int first)
{
    int found = row(numbers, count);
    while (first && found == 0)
        found = row(numbers, count);
    if (found > 0 && found != count) {
        fprintf(stderr, "line %lu: has to be %d numbers, not %d\n", line_number, count, found);
        exit(2);
    }
    return found > 0;
}
