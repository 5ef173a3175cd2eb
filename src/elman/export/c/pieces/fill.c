static void fill(int n, float value, float *y)
{
    for (int i = 0; i < n; i++)
        y[i] = value;
}
