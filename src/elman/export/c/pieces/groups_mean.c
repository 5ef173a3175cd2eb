/* y = the mean of each `size` neighbours in x */
static void groups_mean(int n, int size, const float *restrict x, float *restrict y)
{
    for (int i = 0; i < n; i++, x += size) {
        float sum = 0.0f;
        for (int k = 0; k < size; k++)
            sum += x[k];
        y[i] = sum / (float)size;
    }
}
