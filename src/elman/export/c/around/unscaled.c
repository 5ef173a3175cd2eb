void name_unscale(const float *y, double *told)
{
    for (int i = 0; i < @OUTPUTS@; i++)
        told[i] = y[i] * deviation_of_y[i] + mean_of_y[i];
}
