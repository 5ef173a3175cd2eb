/* y = softmax(x) */
static void softmax(int n, const float *restrict x, float *restrict y)
{
    float most = x[0], sum = 0.0f;
    for (int i = 1; i < n; i++)
        most = maximum(most, x[i]);
    for (int i = 0; i < n; i++)
        y[i] = exponential(x[i] - most);
    for (int i = 0; i < n; i++)
        sum += y[i];
    for (int i = 0; i < n; i++)
        y[i] /= sum;
}
