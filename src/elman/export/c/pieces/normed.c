/* Each n neighbours of y [parts * n] brought to mean 0 and variance 1, times `factor`. */
static void normed(int parts, int n, const float *restrict factor, float *restrict y)
{
    for (int k = 0; k < parts; k++, factor += n, y += n) {
        float mean = 0.0f, variance = 0.0f, scale;
        for (int i = 0; i < n; i++)
            mean += y[i];
        mean /= n;
        for (int i = 0; i < n; i++)
            variance += (y[i] - mean) * (y[i] - mean);
        scale = 1.0f / sqrtf(variance / n + 1e-5f);
        for (int i = 0; i < n; i++)
            y[i] = (y[i] - mean) * scale * factor[i];
    }
}
