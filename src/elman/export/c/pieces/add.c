/* y += x */
static void add(int n, const float *restrict x, float *restrict y)
{
    for (int i = 0; i < n; i++)
        y[i] += x[i];
}
