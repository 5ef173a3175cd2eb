/* y = log(softmax(x)) */
static void log_softmax(int n, const float *restrict x, float *restrict y)
{
    float most = x[0], sum = 0.0f;
    for (int i = 1; i < n; i++)
        most = maximum(most, x[i]);
    for (int i = 0; i < n; i++)
        sum += exponential(x[i] - most);
    sum = most + logf(sum);
    for (int i = 0; i < n; i++)
        y[i] = x[i] - sum;
}
