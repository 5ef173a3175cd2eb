/* Which of two tokens comes first: the likelier, of equals the lower. */
static int before(const double *x, int32_t a, int32_t b)
{
    return x[a] != x[b] ? x[a] > x[b] : a < b;
}

/* The tokens in that order, by heap sort. */
static void ranked(const double *x, int32_t *order)
{
    int32_t held;
    for (int32_t i = 0; i < NAME_SYMBOLS; i++)
        order[i] = i;
    for (int32_t start = NAME_SYMBOLS / 2, end = NAME_SYMBOLS; end > 1;) {
        int32_t parent, child;
        if (start > 0) {
            held = order[--start];
        } else {
            held = order[--end];
            order[end] = order[0];
        }
        for (parent = start; (child = 2 * parent + 1) < end; parent = child) {
            if (child + 1 < end && before(x, order[child], order[child + 1]))
                child++;
            if (!before(x, held, order[child]))
                break;
            order[parent] = order[child];
        }
        order[parent] = held;
    }
}

int32_t name_choose(const float *scores, const name_sampling *how, const unsigned char *seen,
                    double uniform, name_room *room)
{
    double *const x = room->scores, *const p = room->chances;
    double total = 0.0, sum = 0.0;
    int32_t likeliest = 0, token;
    for (int32_t i = 0; i < NAME_SYMBOLS; i++) {
        if (!(scores[i] < INFINITY))
            return -1;
        x[i] = scores[i];
    }
    for (size_t k = 0; k < sizeof forbidden / sizeof *forbidden; k++)
        if (forbidden[k] >= 0)
            x[forbidden[k]] = -INFINITY;
    for (int32_t i = 0; i < NAME_SYMBOLS && seen != NULL; i++)
        if (seen[i])
            x[i] = x[i] > 0.0 ? x[i] / how->repetition_penalty : x[i] * how->repetition_penalty;
    for (int32_t i = 1; i < NAME_SYMBOLS; i++)
        if (x[i] > x[likeliest])
            likeliest = i;
    if (how->temperature == 0.0)
        return likeliest;
    for (int32_t i = 0; i < NAME_SYMBOLS; i++)
        total += p[i] = exp((x[i] - x[likeliest]) / how->temperature);
    if (how->top_k > 0 || how->top_p < 1.0) {
        int32_t *const order = room->order;
        const int32_t most = how->top_k > 0 && how->top_k < NAME_SYMBOLS ? how->top_k : NAME_SYMBOLS;
        ranked(x, order);
        for (int32_t i = most; i < NAME_SYMBOLS; i++)
            p[order[i]] = 0.0;
        total = 0.0;
        for (int32_t i = 0; i < most; i++)
            total += p[order[i]];
        for (int32_t i = 0; i < most; i++) {
            const double one = p[order[i]];
            if (sum >= how->top_p * total)
                p[order[i]] = 0.0;
            sum += one;
        }
        total = 0.0;
        for (int32_t i = 0; i < NAME_SYMBOLS; i++)
            total += p[i];
    }
    sum = 0.0;
    for (token = 0; token < NAME_SYMBOLS - 1; token++) {
        sum += p[token];
        if (sum > uniform * total)
            break;
    }
    while (token > 0 && p[token] == 0.0)
        token--; /* rounding may lead beyond the last that can come */
    return token;
}

/* The upper half of a product of 64 bits by 64. */
static uint64_t upper_half(uint64_t a, uint64_t b)
{
    const uint64_t low = 0xffffffffu;
    const uint64_t middle = (a >> 32) * (b & low) + (((a & low) * (b & low)) >> 32);
    const uint64_t other = (a & low) * (b >> 32) + (middle & low);
    return (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
}

/* Philox 4x64, 10 rounds: Salmon et al. 2011, doi:10.1145/2063384.2063405. */
double name_uniform(uint64_t seed, uint64_t position)
{
    uint64_t c[4] = {position + 1, position == UINT64_MAX, 0, 0}, key[2] = {seed, 0};
    for (int round = 0; round < 10; round++) {
        const uint64_t a = upper_half(0xd2e7470ee14c6c93u, c[0]), b = 0xd2e7470ee14c6c93u * c[0];
        const uint64_t d = upper_half(0xca5a826395121157u, c[2]), e = 0xca5a826395121157u * c[2];
        c[0] = d ^ c[1] ^ key[0];
        c[1] = e;
        c[2] = a ^ c[3] ^ key[1];
        c[3] = b;
        key[0] += 0x9e3779b97f4a7c15u;
        key[1] += 0xbb67ae8584caa73bu;
    }
    return (double)(c[0] >> 11) * (1.0 / 9007199254740992.0);
}
